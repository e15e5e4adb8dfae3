//! What a guest does with its service's data, through both interfaces.

use std::sync::Arc;

use tokio::sync::Semaphore;
use wharf_runtime::HttpTask;

use crate::support::{Bench, Data, text};

/// Runs a script of the guest's.
async fn run(task: &HttpTask, script: &str) -> Vec<String> {
    let (status, body) = text(task, script).await;
    assert_eq!(status, 200, "{body}");
    body.lines().map(str::to_owned).collect()
}

/// Each command's answer is as expected.
async fn check(task: &HttpTask, interface: &str, lines: &[(&str, &str)]) {
    let commands: Vec<_> = lines.iter().map(|(command, _)| *command).collect();
    let answers = run(task, &format!("/{interface}?{}", commands.join(";"))).await;
    for ((command, expected), answer) in lines.iter().zip(&answers) {
        assert_eq!(answer, expected, "{command}");
    }
    assert_eq!(answers.len(), lines.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_standard_s_interfaces_do_what_they_say() {
    let task = Bench::new().with_data(&Arc::default()).await;
    let commands = [
        ("open,", "ok"),
        ("open,default", "ok"),
        ("open,another", "error Error::NoSuchStore"),
        ("get,a", "-"),
        ("set,a,1", "ok"),
        ("get,a", "1"),
        ("exists,a", "true"),
        ("delete,a", "ok"),
        ("delete,a", "ok"),
        ("exists,a", "false"),
        ("increment,n,2", "2"),
        ("increment,n,40", "42"),
        ("get,n", "42"),
        ("fill-many,3,x,y", "ok"),
        ("get-many,x,z,y", "x=xxx - y=xxx"),
        ("delete-many,x,y,z", "ok"),
        ("get-many,x,y", "- -"),
        ("list,", "1 n None"),
        (
            "list,7",
            "error Error::Other(\"7 is no cursor of this bucket's\")",
        ),
        (
            "increment,n,18446744073709551615",
            "error Error::Other(\"the number is not between 0 and 9223372036854775807\")",
        ),
    ];
    check(&task, "standard", &commands).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_listed_in_pages_by_cursors() {
    let task = Bench::new().with_data(&Arc::default()).await;
    for hundred in 0..11 {
        let keys: Vec<_> = (0..100).map(|n| format!("k{hundred:02}{n:02}")).collect();
        check(
            &task,
            "standard",
            &[(&format!("fill-many,1,{}", keys.join(",")), "ok")],
        )
        .await;
    }
    let pages = [
        ("list,", "1000 k0000 Some(1)"),
        ("list,1", "100 k1000 None"),
        // Nothing was forgotten.
        ("list,1", "100 k1000 None"),
    ];
    check(&task, "standard", &pages).await;
    let mut many = vec!["list,"; 17];
    many.push("list,1");
    let answers = run(&task, &format!("/standard?{}", many.join(";"))).await;
    assert_eq!(answers[16], "1000 k0000 Some(17)");
    assert!(answers[17].contains("1 is no cursor"), "{}", answers[17]);
}

#[tokio::test(flavor = "multi_thread")]
async fn wharf_s_interface_does_what_it_says() {
    let task = Bench::new().with_data(&Arc::default()).await;
    let commands = [
        ("get,a", "-"),
        ("swap,a,1", "ok"),
        ("swap,a,2", "no"),
        ("get,a", "1"),
        ("swap,a,2", "ok"),
        ("swap,a,3", "no"),
        ("get,a", "2"),
        ("delete,a", "true"),
        ("delete,a", "false"),
        ("increment,n,2", "2"),
        ("increment,n,-5", "-3"),
        ("expire,e,soon,86400000", "ok"),
        ("get,e", "soon"),
        ("expire-number,f,1,86400000", "1"),
        ("set,p/1,a", "ok"),
        ("set,p/2,b", "ok"),
        ("set,p/3,c", "ok"),
        ("entries,p/,,2", "p/1=a p/2=b next p/2"),
        ("entries,p/,p/2,2", "p/3=c next -"),
    ];
    check(&task, "own", &commands).await;
    // The same data: of another instance, by another interface.
    check(&task, "standard", &[("get,p/1", "a"), ("increment,n,4", "1")]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_t_be_stored_is_refused_with_the_bound() {
    let task = Bench::new().with_data(&Arc::default()).await;
    let long = "k".repeat(513);
    let refused = |command: String, why: &'static str| (command, why);
    let cases = [
        refused("set,,v".into(), "the key is empty"),
        refused("get,".into(), "the key is empty"),
        refused(format!("set,{long},v"), "the key has 513 bytes; 512 are allowed"),
        refused(format!("get,{long}"), "the key has 513 bytes; 512 are allowed"),
        refused(
            format!("entries,{long},,1"),
            "the prefix has 513 bytes; 512 are allowed",
        ),
        refused(
            "fill,k,65537".into(),
            "the value has 65537 bytes; 65536 are allowed",
        ),
        refused("entries,k,,0".into(), "a limit of 0 entries"),
        refused(
            "expire,k,v,0".into(),
            "a time to live of 0: delete the key instead",
        ),
        refused(
            "expire,k,v,316224000001".into(),
            "a time to live of more than 3660 days: without one, a value stays",
        ),
    ];
    for (command, why) in &cases {
        check(
            &task,
            "own",
            &[(command, &format!("error Error::Invalid({why:?})"))],
        )
        .await;
    }
    let largest = [("fill,k,65536", "ok"), ("get,k", "65536 bytes")];
    check(&task, "own", &largest).await;
    let many: Vec<_> = (0..5).map(|n| format!("fill,m{n},65536")).collect();
    run(&task, &format!("/own?{}", many.join(";"))).await;
    let answers = run(&task, "/standard?get-many,m0,m1,m2,m3,m4").await;
    assert!(answers[0].contains("ask for fewer at once"), "{answers:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_s_refusal_reaches_the_guest() {
    let data: Arc<Data> = Arc::default();
    data.door.close();
    let task = Bench::new().with_data(&data).await;
    let own = [("set,k,v", "error Error::QuotaExceeded(\"the door is shut\")")];
    check(&task, "own", &own).await;
    let standard = [("set,k,v", "error Error::Other(\"the door is shut\")")];
    check(&task, "standard", &standard).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writes_that_wait_hold_no_thread() {
    const WAITING: usize = 20;
    let data = Arc::new(Data::behind(Semaphore::new(0)));
    let task = Arc::new(Bench::new().with_data(&data).await);
    let waiting: Vec<_> = (0..WAITING)
        .map(|_| {
            let task = Arc::clone(&task);
            tokio::spawn(async move { run(&task, "/own?increment,n,1").await })
        })
        .collect();
    check(&task, "own", &[("get,n", "-")]).await;
    data.door.add_permits(1);
    for one in waiting {
        one.await.unwrap();
    }
    check(&task, "own", &[("get,n", &WAITING.to_string())]).await;
}
