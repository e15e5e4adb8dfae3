//! What is a name and what isn't, and that a name survives being written and read.

use proptest::prelude::*;

use super::*;

fn refusal<T: FromStr<Err = NameError> + fmt::Debug>(text: &str) -> String {
    text.parse::<T>().unwrap_err().to_string()
}

#[test]
fn names_are_one_dns_label() {
    for good in ["a", "0", "api", "api-2", "a-", &"a".repeat(63)] {
        assert_eq!(good.parse::<ServiceName>().unwrap().as_str(), good);
        assert_eq!(good.parse::<NamespaceName>().unwrap().as_str(), good);
    }
}

#[test]
fn refusals_say_what_is_wrong_and_what_to_do() {
    let long = "a".repeat(64);
    let table = [
        ("", "`` is not a service's name: it is empty"),
        (
            "Api",
            "`Api` is not a service's name: it has 'A'; use a-z, 0-9 and `-` (no capitals)",
        ),
        (
            "a_b",
            "`a_b` is not a service's name: it has '_'; use a-z, 0-9 and `-`",
        ),
        (
            "../etc",
            "`../etc` is not a service's name: it has '.'; use a-z, 0-9 and `-`",
        ),
        (
            "a\nb",
            "`a\\nb` is not a service's name: it has '\\n'; use a-z, 0-9 and `-`",
        ),
        (
            "-a",
            "`-a` is not a service's name: it needs to begin with a letter or a digit",
        ),
        (
            "é",
            "`é` is not a service's name: it has 'é'; use a-z, 0-9 and `-`",
        ),
    ];
    for (text, wanted) in table {
        assert_eq!(refusal::<ServiceName>(text), wanted);
    }
    assert!(refusal::<ServiceName>(&long).ends_with("it has 64 characters, 63 are allowed"));
    assert!(refusal::<NamespaceName>("A").starts_with("`A` is not a namespace's name"));
}

#[test]
fn secret_names_add_path_characters_but_no_path_tricks() {
    for good in ["prod/weather", "db_password", "a.b", "a/b/c-d_e.f"] {
        assert_eq!(good.parse::<SecretName>().unwrap().as_str(), good);
    }
    for bad in [
        "/a", "a/", "a//b", "a/../b", "a/./b", "..", "a b", "a@1", "a:b", "A",
    ] {
        assert!(bad.parse::<SecretName>().is_err(), "{bad}");
    }
}

#[test]
fn environment_names() {
    for good in ["A", "_", "a1", "API_KEY"] {
        assert!(good.parse::<EnvName>().is_ok(), "{good}");
    }
    for bad in ["", "1A", "A-B", "A=B", "A B", "WHARF_TASK_ID", "é", "A\0"] {
        assert!(bad.parse::<EnvName>().is_err(), "{bad}");
    }
    assert!(
        refusal::<EnvName>("WHARF_X").ends_with("names that begin with `WHARF_` are set by Wharf itself")
    );
}

#[test]
fn digests() {
    let digest = Digest::from_sha256([0xab; 32]);
    assert_eq!(digest.hex(), "ab".repeat(32));
    assert_eq!(digest.as_str().parse::<Digest>().unwrap(), digest);
    for bad in [
        "",
        "sha256:",
        "sha512:00",
        &"ab".repeat(32),
        &format!("sha256:{}", "AB".repeat(32)),
    ] {
        assert!(bad.parse::<Digest>().is_err(), "{bad}");
    }
}

#[test]
fn task_ids_differ_from_their_first_digits_on() {
    let ids: Vec<_> = (0..100).map(|_| TaskId::generate()).collect();
    let beginnings: std::collections::BTreeSet<_> = ids.iter().map(|id| &id.as_str()[..8]).collect();
    assert!(beginnings.len() > 95, "{beginnings:?}");
    assert_eq!(ids[0].as_str().len(), 32);
    assert_eq!(ids[0].as_str().parse::<TaskId>().unwrap(), ids[0]);
}

#[test]
fn task_definitions() {
    let definition: FamilyRevision = "api:7".parse().unwrap();
    assert_eq!(definition.revision.get(), 7);
    assert_eq!(definition.revision.next().get(), 8);
    assert_eq!(definition.to_string(), "api:7");
    for bad in [
        "api", "api:", "api:0", "api:+1", "api:x", ":1", "Api:1", "api:1:2",
    ] {
        assert!(bad.parse::<FamilyRevision>().is_err(), "{bad}");
    }
}

#[test]
fn serde_checks_too() {
    assert!(serde_json::from_str::<ServiceName>("\"api\"").is_ok());
    let refused = serde_json::from_str::<ServiceName>("\"Api\"")
        .unwrap_err()
        .to_string();
    assert!(refused.contains("is not a service's name"), "{refused}");
}

proptest! {
    #[test]
    fn every_legal_name_round_trips(text in "[a-z0-9][a-z0-9-]{0,62}") {
        let name: ServiceName = text.parse().unwrap();
        prop_assert_eq!(name.to_string(), text.clone());
        let json = serde_json::to_string(&name).unwrap();
        prop_assert_eq!(serde_json::from_str::<ServiceName>(&json).unwrap(), name);
    }

    #[test]
    fn no_text_makes_parsing_panic(text in ".*") {
        let _ = text.parse::<ServiceName>();
        let _ = text.parse::<SecretName>();
        let _ = text.parse::<EnvName>();
        let _ = text.parse::<FamilyRevision>();
    }

    #[test]
    fn no_name_is_a_path_out_of_its_folder(text in "[a-z./-]{1,8}") {
        if let Ok(name) = text.parse::<SecretName>() {
            prop_assert!(name.as_str().split('/').all(|part| part != ".." && part != "."));
        }
    }
}
