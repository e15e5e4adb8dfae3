//! An answer made of another service's answer, got with a key that is a secret.

use serde::Deserialize;
use wharf::client::{self, ErrorKind};
use wharf::{Error, Request, Response, Result, StatusCode};

const DEFAULT_API: &str = "http://127.0.0.1:9099";

/// What the upstream answers.
#[derive(Deserialize)]
struct Weather {
    city: String,
    celsius: f64,
    summary: String,
}

#[wharf::http]
async fn handle(request: Request) -> Result<Response> {
    if request.path() != "/" {
        return Err(Error::new(StatusCode::NOT_FOUND, "ask for /?city=Paris"));
    }
    let city = request.query("city").filter(|city| !city.trim().is_empty());
    let city = city.ok_or_else(|| Error::new(StatusCode::BAD_REQUEST, "which city? ask for /?city=Paris"))?;
    let weather = current(&city).await?;
    Ok(Response::text(friendly(&weather)))
}

async fn current(city: &str) -> Result<Weather> {
    let base = wharf::env("WEATHER_API").unwrap_or_else(|| DEFAULT_API.to_owned());
    let answer = client::get(format!("{}/v1/current", base.trim_end_matches('/')))
        .query("city", city)
        .bearer(&wharf::secret("WEATHER_KEY")?)
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
}
