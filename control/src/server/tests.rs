//! A server as a whole: what it refuses at the start, how it ends, what it finds again.

use super::*;
use crate::api::tests::client::{Running, config};

#[tokio::test(flavor = "multi_thread")]
async fn the_api_leaves_the_machine_only_when_told_to() {
    let directory = tempfile::tempdir().unwrap();
    let mut config = config(directory.path());
    config.api = "0.0.0.0:0".parse().unwrap();
    let refused = Server::build(config.clone()).await.unwrap_err();
    assert!(matches!(refused, ServeError::InsecureApi(_)), "{refused}");
    assert!(refused.to_string().contains("--api-without-tls"), "{refused}");
    config.reach = ApiReach::Anywhere;
    Server::build(config).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_server_on_the_same_data_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let first = Server::build(config(directory.path())).await.unwrap();
    let refused = Server::build(config(directory.path())).await.unwrap_err();
    assert!(
        refused.to_string().contains("in use by another wharf server"),
        "{refused}"
    );
    drop(first);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_taken_port_is_named_with_its_option_and_nothing_is_made() {
    let directory = tempfile::tempdir().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let free = config(&directory.path().join("data"));
    let [mut api, mut http] = [free.clone(), free];
    (api.api, http.http) = (address, address);
    for (config, flag) in [(api, "--api"), (http, "--http")] {
        let refused = Server::build(config).await.unwrap_err();
        assert!(refused.to_string().contains(&address.to_string()), "{refused}");
        let hint = refused.hint().unwrap();
        assert!(hint.contains(flag), "{hint}");
        assert!(!directory.path().join("data").exists());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_server_hears_of_the_first_before_it_hears_of_a_port() {
    let directory = tempfile::tempdir().unwrap();
    let first = Server::build(config(directory.path())).await.unwrap();
    let mut config = config(directory.path());
    config.api = first.api_addr();
    let refused = Server::build(config).await.unwrap_err();
    assert!(
        matches!(refused, ServeError::Store(StoreError::Locked { .. })),
        "{refused}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_is_there_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let server = Running::start(directory.path()).await;
    let created = server
        .admin("POST", "/v1/namespaces", r#"{"name": "team"}"#)
        .await;
    assert_eq!(created.status, 201, "{}", created.body);
    server.stop().await.unwrap();
    let server = Running::start(directory.path()).await;
    let listed = server.admin("GET", "/v1/namespaces", "").await.json();
    let names: Vec<&str> = listed["namespaces"]
        .as_array()
        .unwrap()
        .iter()
        .map(|n| n["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["default", "team"]);
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_ends_answers_that_go_on() {
    let directory = tempfile::tempdir().unwrap();
    let server = Running::start(directory.path()).await;
    let following = server
        .begin("GET", "/v1/namespaces/default/events?follow=true")
        .await;
    server.stop().await.unwrap();
    assert_eq!(following.end().await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_whose_service_is_gone_goes_with_the_next_start() {
    let directory = tempfile::tempdir().unwrap();
    let log = directory.path().join("logs/default/gone");
    std::fs::create_dir_all(&log).unwrap();
    let server = Running::start(directory.path()).await;
    // What is to be written or removed is, when it has stopped.
    server.stop().await.unwrap();
    assert!(!log.exists());
}
