use std::io::Write as _;

use super::*;

fn resolve(written: &str, typed: ServeOptions) -> Result<Options> {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(written.as_bytes()).unwrap();
    Options::resolve(Serve {
        config: Some(file.path().to_owned()),
        options: typed,
    })
}

#[test]
fn what_is_typed_wins_over_what_is_written() {
    let typed = ServeOptions {
        api: Some("127.0.0.1:0".parse().unwrap()),
        ..ServeOptions::default()
    };
    let options = resolve(
        "api = \"127.0.0.1:1\"\nhttp = \"127.0.0.1:2\"\ndata = \"/d\"\ncpu-overcommit = 2.5\n",
        typed,
    )
    .unwrap();
    assert_eq!((options.api.port(), options.http.port()), (0, 2));
    assert_eq!(options.data, Path::new("/d"));
    assert!((options.cpu_overcommit - 2.5).abs() < 1e-9);
    assert!((options.memory_overcommit - DEFAULT_MEMORY_OVERCOMMIT).abs() < 1e-9);
}

#[test]
fn a_relative_data_directory_is_beside_its_file() {
    let options = resolve("data = \"state\"", ServeOptions::default()).unwrap();
    assert!(options.data.is_absolute() && options.data.ends_with("state"));
}

#[test]
fn a_mistake_is_found_in_its_line() {
    for (written, words) in [
        ("http = \"127.0.0.1:1\"\nhtpp = 1\n", &[":2:", "htpp"][..]),
        ("api = \"somewhere\"\n", &[":1:"]),
        ("cpu-overcommit = 0.0\n", &["cpu-overcommit"]),
    ] {
        let error = resolve(written, ServeOptions::default())
            .err()
            .unwrap()
            .to_string();
        assert!(words.iter().all(|word| error.contains(word)), "{error}");
    }
}
