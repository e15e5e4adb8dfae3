use super::*;

#[test]
fn hosts_have_one_form() {
    let longest = "a".repeat(MAX_HOST_BYTES);
    let too_long = "a".repeat(MAX_HOST_BYTES + 1);
    for (host, expected, number) in [
        ("App.Example.COM", "app.example.com", None),
        ("app.example.com:8080", "app.example.com", Some(8080)),
        ("app.example.com.", "app.example.com", None),
        ("app.example.com.:80", "app.example.com", Some(80)),
        ("[2001:DB8::1]:443", "[2001:db8::1]", Some(443)),
        ("[::1]", "[::1]", None),
        ("a:b", "a", None),
        ("", "", None),
        (&longest, &longest, None),
        (&too_long, "", None),
    ] {
        let mut buffer = [0; MAX_HOST_BYTES];
        assert_eq!(
            normalise(host.as_bytes(), &mut buffer),
            expected.as_bytes(),
            "{host}"
        );
        assert_eq!(port(host.as_bytes()), number, "{host}");
    }
}
