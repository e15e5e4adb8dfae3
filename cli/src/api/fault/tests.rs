use super::*;

#[test]
fn the_fact_is_found_however_deep_it_is() {
    let deep = |error: Box<dyn Error + Send + Sync>| io::Error::other(io::Error::other(error));
    let system = |kind: io::ErrorKind| deep(io::Error::from(kind).into());
    let cases = [
        (system(io::ErrorKind::ConnectionRefused), Fault::Refused),
        (system(io::ErrorKind::TimedOut), Fault::TimedOut),
        (system(io::ErrorKind::NetworkUnreachable), Fault::NoRoute),
        (system(io::ErrorKind::ConnectionReset), Fault::HungUp),
        (
            deep(rustls::Error::InvalidMessage(rustls::InvalidMessage::InvalidContentType).into()),
            Fault::NotTls,
        ),
        (
            deep(rustls::Error::DecryptError.into()),
            Fault::Tls("cannot decrypt peer's message".to_owned()),
        ),
        (
            deep("no such name".into()),
            Fault::Other("no such name".to_owned()),
        ),
    ];
    for (error, fault) in cases {
        assert_eq!(Fault::of(&error), fault);
    }
}
