//! What is typed over a manifest.

use super::jobs::JOB;
use super::*;

#[test]
fn overrides_replace_what_was_written() {
    let mut file = ManifestFile::parse("wharf.toml", WHOLE).unwrap();
    let overrides = Overrides {
        env: vec!["API_KEY=plain=1".parse().unwrap(), "NEW=".parse().unwrap()],
        secrets: vec!["GREETING=hi:text@2".parse().unwrap()],
        cpu: CpuUnits::new(64),
        memory: Some("1536KiB".parse().unwrap()),
        count: Some(0),
    };
    overrides.apply(file.text_mut()).unwrap();
    let manifest = file.check().unwrap();
    assert_eq!(manifest.task.env["API_KEY"], "plain=1");
    assert_eq!(manifest.task.env["NEW"], "");
    assert_eq!(manifest.task.secrets["GREETING"].to_string(), "hi:text@2");
    assert!(!manifest.task.secrets.contains_key("API_KEY"));
    assert_eq!(
        (manifest.task.cpu.get(), manifest.task.memory),
        (64, Bytes::kib(1536))
    );
    assert_eq!(service(&manifest).count, 0);
}

#[test]
fn overrides_that_make_no_sense_are_refused() {
    let refusal = |text: &str| text.parse::<EnvOverride>().unwrap_err().to_string();
    assert_eq!(
        refusal("GREETING"),
        "`GREETING` has no `=`: write --env NAME=VALUE"
    );
    assert!(refusal("1A=x").contains("begins with a digit"));
    assert!(refusal("WHARF_TASK_ID=x").contains("are set by Wharf itself"));
    let refusal = |text: &str| text.parse::<SecretOverride>().unwrap_err().to_string();
    assert!(refusal("KEY=a@0").contains("`@0` is not a version"));

    let mut file = ManifestFile::parse("wharf.toml", WHOLE).unwrap();
    let twice = Overrides {
        env: vec!["A=1".parse().unwrap()],
        secrets: vec!["A=s".parse().unwrap()],
        ..Overrides::default()
    };
    let refused = twice.apply(file.text_mut()).unwrap_err().to_string();
    assert_eq!(
        refused,
        "both --env and --secret give `A`: a variable has one source, leave one out"
    );
    let twice = Overrides {
        env: vec!["A=1".parse().unwrap(), "A=2".parse().unwrap()],
        ..Overrides::default()
    };
    let refused = twice.check().unwrap_err().to_string();
    assert_eq!(
        refused,
        "--env gives `A` twice: a variable has one source, leave one out"
    );
    let long = format!("A={}", "x".repeat((32 << 10) + 1));
    let refused = long.parse::<EnvOverride>().unwrap_err().to_string();
    assert_eq!(refused, "the value of `A` has 32769 bytes, 32768 are allowed");

    let mut job = ManifestFile::parse("wharf.toml", JOB).unwrap();
    let count = Overrides {
        count: Some(9),
        ..Overrides::default()
    };
    count.apply(job.text_mut()).unwrap();
    assert_eq!(job.text().job.as_ref().unwrap().count, Some(9));
    assert_eq!(job.text().service, None);
}
