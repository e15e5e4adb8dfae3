//! `wharf serve` where it cannot: what is in the way is named with the option that changes it, and nothing is made.

use std::net::TcpListener;
use std::path::Path;

use crate::wharf::{Ended, command};

const FREE: &str = "127.0.0.1:0";

fn serve(data: &Path, api: &str, http: &str) -> Ended {
    let mut command = command();
    command.args(["serve", "--api", api, "--http", http, "--data"]);
    Ended::of(command.arg(data).output().expect("wharf starts"))
}

#[test]
fn a_path_that_can_be_no_data_directory_is_named() {
    let parent = tempfile::tempdir().expect("a temporary directory");
    let file = parent.path().join("file");
    std::fs::write(&file, "").expect("written");
    for path in [file.clone(), file.join("below"), "/proc/nothing".into()] {
        let ended = serve(&path, FREE, FREE);
        ended.failed_saying(1, &[path.to_str().expect("UTF-8"), "--data"]);
        let causes = ["(os error", "not a directory"].map(|cause| ended.stderr.matches(cause).count());
        assert_eq!(causes.iter().sum::<usize>(), 1, "{}", ended.stderr);
    }
}

#[test]
fn a_port_in_use_is_named_with_its_option_and_nothing_is_made() {
    let parent = tempfile::tempdir().expect("a temporary directory");
    let data = parent.path().join("data");
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("bound").to_string();
    for (option, api, http) in [("--api", &*address, FREE), ("--http", FREE, &*address)] {
        let ended = serve(&data, api, http);
        ended.failed_saying(1, &[&address, &format!("choose another port with {option}")]);
        assert!(!data.exists(), "it was made before the port was had");
    }
}
