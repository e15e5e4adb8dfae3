use super::*;

#[test]
fn an_api_address_is_a_scheme_and_a_host() {
    for good in [
        "http://127.0.0.1:7070",
        "https://wharf.example.com",
        "http://[::1]:7070/",
    ] {
        assert!(api_address(good).is_ok(), "{good}");
    }
    for bad in ["127.0.0.1:7070", "ftp://host", "http://host/v1", "http://", ""] {
        assert!(api_address(bad).is_err(), "{bad}");
    }
}

#[test]
fn the_administrators_token_stays_on_the_machine() {
    let loopback = |text: &str| is_loopback(&text.parse().unwrap());
    assert!(loopback("http://127.0.0.1:7070"));
    assert!(loopback("http://localhost:7070"));
    assert!(loopback("http://[::1]:7070"));
    assert!(!loopback("http://10.0.0.1:7070"));
    assert!(!loopback("https://localhost.example.com"));
}

#[test]
fn a_missing_token_file_says_what_to_do() {
    let directory = tempfile::tempdir().unwrap();
    let api = "http://127.0.0.1:7070".parse().unwrap();
    let error = admin_token(&api, Some(directory.path())).unwrap_err().to_string();
    assert!(
        error.contains("wharf serve") && error.contains("WHARF_DATA"),
        "{error}"
    );
}
