//! An answer made of another service's answer, got with a key that is a secret.

use serde::Deserialize;
use wharf::client::{self, ErrorKind, Retry};
use wharf::routing::get;
use wharf::{Deadline, Error, Request, Result, Router, StatusCode};

const DEFAULT_API: &str = "http://127.0.0.1:9099";

/// What the upstream answers.
#[derive(Deserialize)]
struct Weather {
    city: String,
    celsius: f64,
    summary: String,
}

#[wharf::http]
fn app() -> Router {
    Router::new()
        .route("/", get(friendly_weather))
        .fallback(async || Error::new(StatusCode::NOT_FOUND, "ask for /?city=Paris"))
}

async fn friendly_weather(request: Request) -> Result<String> {
    let city = request.query("city").filter(|city| !city.trim().is_empty());
    let city = city.ok_or_else(|| Error::new(StatusCode::BAD_REQUEST, "which city? ask for /?city=Paris"))?;
    let weather = current(&city, request.deadline()).await?;
    Ok(friendly(&weather))
}

async fn current(city: &str, deadline: Deadline) -> Result<Weather> {
    let base = wharf::env("WEATHER_API").unwrap_or_else(|| DEFAULT_API.to_owned());
    let answer = client::get(format!("{}/v1/current", base.trim_end_matches('/')))
        .query("city", city)
        .bearer(&wharf::secret("WEATHER_KEY")?)
        .retry(Retry::times(1))
        .until(deadline)
        .send()
        .await
        .map_err(no_answer)?;
    match answer.status() {
        StatusCode::OK => answer.json().await.map_err(no_answer),
        StatusCode::NOT_FOUND => Err(Error::new(
            StatusCode::NOT_FOUND,
            format!("no weather for {city}"),
        )),
        StatusCode::UNAUTHORIZED => Err(bad_gateway("the weather service refuses our key")),
        status => Err(bad_gateway(format!(
            "the weather service answered {}",
            status.as_u16()
        ))),
    }
}

fn friendly(weather: &Weather) -> String {
    let advice = match weather.celsius {
        ..5.0 => "dress warmly",
        5.0..18.0 => "take a jacket",
        18.0..28.0 => "enjoy it",
        _ => "stay in the shade",
    };
    let Weather {
        city,
        celsius,
        summary,
    } = weather;
    format!("{city}: {summary}, {celsius:.1} °C, {advice}\n")
}

fn no_answer(error: client::Error) -> Error {
    let message = match error.kind() {
        ErrorKind::Denied => "the weather service is not among the hosts this task may call",
        ErrorKind::Timeout => "the weather service did not answer in time",
        ErrorKind::Unreachable => "the weather service cannot be reached",
        _ => "the weather service gave no usable answer",
    };
    bad_gateway(message).with_cause(error)
}

fn bad_gateway(message: impl Into<String>) -> Error {
    Error::new(StatusCode::BAD_GATEWAY, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use wharf::test::{self, Failing, Host};
    use wharf::{IntoResponse, Response};

    const API: &str = "https://api.test";

    #[test]
    fn every_temperature_has_its_advice() {
        let at = |celsius| {
            friendly(&Weather {
                city: "Oslo".into(),
                celsius,
                summary: "sunny".into(),
            })
        };
        assert_eq!(at(-3.0), "Oslo: sunny, -3.0 °C, dress warmly\n");
        assert_eq!(at(5.0), "Oslo: sunny, 5.0 °C, take a jacket\n");
        assert_eq!(at(18.0), "Oslo: sunny, 18.0 °C, enjoy it\n");
        assert_eq!(at(31.26), "Oslo: sunny, 31.3 °C, stay in the shade\n");
    }

    /// What stands for the weather service.
    async fn api(request: Request) -> Response {
        match request.query("city").as_deref() {
            _ if request.header("authorization") != Some("Bearer k1") => {
                StatusCode::UNAUTHORIZED.into_response()
            }
            Some("Oslo") => r#"{"city":"Oslo","celsius":7.0,"summary":"rain"}"#.into_response(),
            _ => StatusCode::NOT_FOUND.into_response(),
        }
    }

    fn host() -> Host {
        Host::new().env("WEATHER_API", API).secret("WEATHER_KEY", "k1")
    }

    fn check(host: &Host, target: &str, status: u16, body: &str) {
        let answer = host.call(app(), test::get(target));
        assert_eq!(
            (answer.status().as_u16(), answer.text()),
            (status, body),
            "{target}"
        );
    }

    #[test]
    fn the_services_answer_becomes_a_sentence() {
        let host = host().upstream(API, api);
        check(&host, "/?city=Oslo", 200, "Oslo: rain, 7.0 °C, take a jacket\n");
        check(
            &host,
            "/?city=Atlantis",
            404,
            r#"{"error":"no weather for Atlantis"}"#,
        );
        check(
            &host,
            "/?city=+",
            400,
            r#"{"error":"which city? ask for /?city=Paris"}"#,
        );
        check(&host, "/x", 404, r#"{"error":"ask for /?city=Paris"}"#);
    }

    #[test]
    fn what_is_wrong_with_the_service_is_told() {
        let refusing = host().secret("WEATHER_KEY", "old").upstream(API, api);
        let told = r#"{"error":"the weather service refuses our key"}"#;
        check(&refusing, "/?city=Oslo", 502, told);
        let gone = host().failing_upstream(API, Failing::Unreachable);
        let told = r#"{"error":"the weather service cannot be reached"}"#;
        check(&gone, "/?city=Oslo", 502, told);
        let log = gone.log().join("\n");
        assert!(log.contains("connection refused") && !log.contains("k1"), "{log}");
    }
}
