use super::*;
use crate::model::{DesiredStatus, Health, Overrides, Usage};

fn task(id: &str, made: i64) -> Task {
    Task {
        id: id.parse().unwrap(),
        namespace: NamespaceName::default_namespace(),
        group: Group::Service("api".parse().unwrap()),
        definition: "api:1".parse().unwrap(),
        deployment: None,
        place: None,
        status: TaskStatus::Stopped,
        desired: DesiredStatus::Stopped,
        health: Health::Unknown,
        reason: None,
        stopped: None,
        restarts: 0,
        last_reason: None,
        cpu: 256,
        memory: 1 << 20,
        overrides: Overrides::default(),
        usage: Usage::default(),
        created_at: Timestamp::from_second(made).unwrap(),
        started_at: None,
        stopping_at: None,
        stopped_at: None,
    }
}

/// `digits`, and zeros to the length of an id.
fn id(digits: &str) -> String {
    format!("{digits:0<32}")
}

fn registry(ids: &[&str]) -> Registry {
    let registry = Registry::default();
    for (made, digits) in ids.iter().enumerate() {
        let made = task(&id(digits), made.try_into().unwrap());
        registry.adopt(Entry::new(made, None), Saved::Yes);
    }
    registry
}

#[test]
fn an_id_is_shortened_to_what_no_other_begins_with() {
    // The last two as ids in the order of their making were, in one millisecond.
    let registry = registry(&[
        "5",
        "abcdef0123",
        "abcdef0124",
        "019331f2a1b07c",
        "019331f2a1b07d",
    ]);
    for (digits, short) in [
        ("5", "50000000"),
        ("abcdef0123", "abcdef0123"),
        ("abcdef0124", "abcdef0124"),
        ("019331f2a1b07c", "019331f2a1b07c"),
    ] {
        let id: TaskId = id(digits).parse().unwrap();
        assert_eq!(registry.short(&id), short);
        let found = registry.find(&NamespaceName::default_namespace(), short);
        assert_eq!(found.map(|task| task.id), Ok(id));
    }
}

#[test]
fn any_beginning_that_one_task_has_names_it() {
    let registry = registry(&["5", "abcdef0123", "abcdef0124"]);
    let namespace = NamespaceName::default_namespace();
    let find = |text: &str| registry.find(&namespace, text).map(|task| task.id.to_string());
    assert_eq!(find("5"), Ok(id("5")));
    assert_eq!(find("abcdef0124"), Ok(id("abcdef0124")));
    assert_eq!(find("abc"), Err(2));
    assert_eq!(find("6"), Err(0));
    assert_eq!(find(&format!("{}0", id("5"))), Err(0));
    let elsewhere = "elsewhere".parse().unwrap();
    assert_eq!(registry.find(&elsewhere, "5"), Err(0));
}

#[test]
fn tasks_come_in_the_order_of_their_making() {
    let registry = registry(&["9", "1", "5"]);
    let namespace = NamespaceName::default_namespace();
    let group = (namespace.clone(), Group::Service("api".parse().unwrap()));
    let first_digits =
        |tasks: Vec<Task>| -> String { tasks.iter().map(|task| &task.id.as_str()[..1]).collect() };
    assert_eq!(first_digits(registry.of_group(&group)), "915");
    assert_eq!(first_digits(registry.of_namespace(&namespace)), "915");
    let ids: Vec<TaskId> = ["5", "1", "7"].map(|digits| id(digits).parse().unwrap()).into();
    let sorted = registry.oldest_first(&ids);
    assert_eq!(
        sorted.iter().map(|id| &id.as_str()[..1]).collect::<String>(),
        "15"
    );
}

#[test]
fn a_jobs_task_that_waits_is_in_no_batch() {
    let registry = Registry::default();
    let place = crate::model::Place {
        run: crate::model::RunNumber(1),
        index: 0,
        attempt: 1,
    };
    let waiting = Task {
        place: Some(place),
        status: TaskStatus::Pending,
        desired: DesiredStatus::Running,
        ..task(&id("1"), 1)
    };
    let key = waiting.id.clone();
    registry.adopt(Entry::new(waiting, None), Saved::Yes);
    let batch = |change: fn(&mut Entry)| {
        registry.update(&key, change);
        registry.take_unsaved().tasks.len()
    };
    assert_eq!(batch(|entry| entry.task.reason = Some("no room".to_owned())), 0);
    assert_eq!(batch(|entry| entry.task.status = TaskStatus::Activating), 1);
    assert_eq!(batch(|entry| entry.task.desired = DesiredStatus::Stopped), 1);
}
