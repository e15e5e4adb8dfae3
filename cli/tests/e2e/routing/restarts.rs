//! What clients notice of a restart of the server.

use super::{File, outside};
use crate::http::Call;
use crate::server::Server;

#[test]
fn a_restart_moves_no_client_to_another_target() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let data = directory.path().join("data");
    let server = Server::start_on(&data);
    let file = File::new(&format!(
        "[[target_group]]\nname = \"both\"\ntargets = [\"http://{}\", \"http://{}\"]\nstickiness = \"1h\"\n\
         health = {{ enabled = false }}\n\
         [[route]]\nname = \"both\"\nhost = [\"both.test\"]\nforward = [{{ target_group = \"both\" }}]\n",
        outside("one"),
        outside("two"),
    ));
    server.wharf().ok(["apply", "-f", &file.path()]);
    let target = |body: &str| body.lines().next().expect("its name").to_owned();
    // Each client's cookie, and whom it met.
    let clients: Vec<(String, String)> = (0..2)
        .map(|_| {
            let answer = server.get("both.test", "/");
            let cookie = answer.header("set-cookie").expect("a cookie");
            let (cookie, _) = cookie.split_once(';').expect("its attributes");
            (cookie.to_owned(), target(&answer.body))
        })
        .collect();
    assert_ne!(clients[0].1, clients[1].1, "they take turns");
    server.terminate();
    let server = Server::start_on(&data);
    // Each several times in a row: without their cookies they would take turns.
    for (cookie, met) in &clients {
        for round in 0..10 {
            let answer = server.send(Call::get("both.test", "/").header("cookie", cookie));
            assert_eq!(target(&answer.body), *met, "round {round}");
        }
    }
}
