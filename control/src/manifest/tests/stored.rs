//! Manifests of the store's that another version checked.

use serde_json::json;

use super::*;
use crate::edge::rules;

fn stored(routes: serde_json::Value) -> Result<Manifest, ManifestErrors> {
    let component = format!("sha256:{}", "0".repeat(64));
    Manifest::from_stored(json!({"name": "api", "task": {"component": component}, "route": routes}))
}

/// What the rules of a manifest, and the routes it can't use, are called.
fn called(manifest: &Manifest) -> (Vec<String>, Vec<String>) {
    let rules = rules::rules(&NamespaceName::default_namespace(), manifest).unwrap();
    let rules = rules.iter().map(|rule| rule.spec.name.to_string());
    let unusable = rules::unusable_routes(manifest);
    (
        rules.collect(),
        unusable.into_iter().map(|(name, _)| name).collect(),
    )
}

fn texts(of: &[&str]) -> Vec<String> {
    of.iter().map(|text| (*text).to_owned()).collect()
}

#[test]
fn routes_that_make_no_sense_any_more_are_left_out_and_the_others_keep_their_names() {
    let manifest = stored(json!([
        {"path": ["/a"]},
        {"path_regex": ["("]},
        {"path": ["/c"]},
        {"name": "look", "path_regex": ["(?=x)"], "host_regex": ["("]},
    ]))
    .unwrap();
    let rules = texts(&["default/api[0]", "default/api[2]"]);
    assert_eq!(called(&manifest), (rules, texts(&["api[1]", "api[look]"])));
    let unusable = &service(&manifest).unusable_routes;
    assert!(unusable[0].reason.contains("path_regex"), "{unusable:?}");
    let both = &unusable[1].reason;
    assert!(
        both.contains("host_regex") && both.contains("path_regex"),
        "{both}"
    );
}

/// Nobody asked for it.
#[test]
fn a_service_without_any_route_that_makes_sense_has_no_default_host_instead() {
    let manifest = stored(json!([{"path_regex": ["("]}])).unwrap();
    assert_eq!(called(&manifest), (Vec::new(), texts(&["api[0]"])));
    let namespace = NamespaceName::default_namespace();
    assert_eq!(rules::urls(&namespace, &manifest, 80), Vec::<String>::new());
}

#[test]
fn what_is_wrong_elsewhere_is_wrong_still() {
    let manifest =
        json!({"name": "api", "task": {"component": "x", "cpu": 0}, "route": [{"path_regex": ["("]}]});
    let errors = Manifest::from_stored(manifest).unwrap_err().to_string();
    assert!(
        errors.contains("task.cpu") && errors.contains("route[0]"),
        "{errors}"
    );
}

/// What is new is refused whole.
#[test]
fn a_new_manifest_has_no_such_routes() {
    let component = format!("sha256:{}", "0".repeat(64));
    let manifest = json!({"name": "api", "task": {"component": component}, "route": [{"path_regex": ["("]}]});
    Manifest::from_json(manifest).unwrap_err();
}
