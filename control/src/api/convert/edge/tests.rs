//! What a namespace is told of what is not its own.

use serde_json::json;
use wharf_gateway::{ListenerName, RoutingFault};

use super::*;
use crate::manifest;

fn namespace(name: &str) -> NamespaceName {
    name.parse().unwrap()
}

fn told_of_a_default(action: Action, sees: Sees<'_>) -> String {
    let explanation = Explanation {
        matched: None,
        action,
        tried: Vec::new(),
    };
    super::explanation(&explanation, "http", &namespace("blue"), sees).action
}

#[test]
fn where_a_listeners_default_leads_is_told_to_whom_it_belongs() {
    let legacy = || Action::forward(GroupName::new("default/target-groups/legacy").unwrap());
    let (blue, default) = (namespace("blue"), namespace("default"));
    for (sees, is_told) in [
        (Sees::Everything, true),
        (Sees::Own(&default), true),
        (Sees::Own(&blue), false),
    ] {
        let told = told_of_a_default(legacy(), sees);
        assert_eq!(told.contains("legacy"), is_told, "{sees:?}: {told}");
    }
    // What every client sees.
    let told = told_of_a_default(Action::NotFound, Sees::Own(&blue));
    assert_eq!(told, "answer 404: nothing is there");
}

#[test]
fn a_route_that_is_left_out_is_told_without_others_names() {
    let (red, blue) = (namespace("red"), namespace("blue"));
    let text = json!({"route": [{"name": "shop", "host": ["a.test"], "fixed": {"status": 404}}]});
    let written = manifest::objects_from_json(text).unwrap();
    let rule = Rule::standing(&blue, &"shop".parse().unwrap(), &written.routes[0]).unwrap();
    let fault = |with: &str| RoutingError {
        listener: ListenerName::new("http").unwrap(),
        rule: Some(rule.spec.name.clone()),
        field: "conditions",
        fault: RoutingFault::SameConditions {
            with: RuleName::new(with).unwrap(),
            conditions: "host a.test".to_owned(),
        },
    };
    let told = |with: &str, sees: Sees<'_>| {
        let left_out = BTreeMap::from([(rule.spec.name.clone(), fault(with))]);
        standing(&rule, &left_out, sees).error.unwrap()
    };
    let foreign = told("red/routes/secret", Sees::Own(&blue));
    assert!(
        !foreign.contains("red") && foreign.contains("a route of another namespace"),
        "{foreign}"
    );
    assert!(told("red/routes/secret", Sees::Everything).contains("red/routes/secret"));
    assert!(told("blue/routes/own", Sees::Own(&blue)).contains("blue/routes/own"));
    assert!(!told("blue/routes/own", Sees::Own(&red)).contains("blue/routes/own"));
}
