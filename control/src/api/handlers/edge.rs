//! Listeners, target groups and routes.

mod sample;

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use serde_json::{Value, json};

use self::sample::sample;
use crate::api::SharedApi;
use crate::api::convert::edge::{self as convert, Sees};
use crate::api::extract::{Caller, InNamespace, Json as Body, Named};
use crate::api::types::{
    Applied, Apply, ErrorBody, Listener, ListenerList, Route, RouteList, RouteTest, SetPriorities,
    TargetGroup, TargetGroupList, TestRoute,
};
use crate::edge::rules::{Rule, target_group_name};
use crate::edge::{Scene, short_name};
use crate::manifest::Destination;
use crate::names::{ListenerName, NamespaceName, RouteName, TargetGroupName};
use crate::orchestrator::{ObjectName, no_object};
use crate::refusal::{Kind, Refusal};

/// Makes objects what they are said to be, all of them or none.
#[utoipa::path(post, path = "/v1/namespaces/{ns}/apply", tag = "routing", request_body = Apply,
    params(("ns" = String, Path, description = "The namespace")), responses(
    (status = 200, body = Applied), (status = 403, body = ErrorBody), (status = 404, body = ErrorBody),
    (status = 409, body = ErrorBody), (status = 422, body = ErrorBody)))]
pub(crate) async fn apply(
    namespace: InNamespace,
    State(api): State<SharedApi>,
    Body(ask): Body<Apply>,
) -> Result<Json<Applied>, Refusal> {
    if ask.objects.get("listener").is_some() {
        namespace.caller.administrator("apply listeners")?;
    }
    let change = api.orchestrator.apply(&namespace.name, ask.objects).await?;
    Ok(Json(convert::applied(&change)))
}

/// The namespace's routes, its services' among them.
#[utoipa::path(get, path = "/v1/namespaces/{ns}/routes", tag = "routing",
    params(("ns" = String, Path, description = "The namespace")), responses(
    (status = 200, body = RouteList), (status = 404, body = ErrorBody)))]
pub(crate) async fn list_routes(namespace: InNamespace, State(api): State<SharedApi>) -> Json<RouteList> {
    let scene = api.orchestrator.edge.scene();
    let left_out = api.orchestrator.edge.left_out();
    let mut rules: Vec<&Rule> = of(&scene, &namespace.name).collect();
    rules.sort_by(|a, b| (a.spec.precedence, &a.spec.name).cmp(&(b.spec.precedence, &b.spec.name)));
    let standing = rules.into_iter();
    let standing = standing.map(|rule| convert::standing(rule, &left_out, sees(&namespace)));
    // In force they would come in their order; as it is they come last.
    let unusable = scene.unusable_of(&namespace.name);
    let unusable = unusable.map(|(name, service, route)| convert::unusable(name, service, route));
    Json(RouteList {
        routes: standing.chain(unusable).collect(),
    })
}

/// A route.
#[utoipa::path(get, path = "/v1/namespaces/{ns}/routes/{name}", tag = "routing",
    params(("ns" = String, Path, description = "The namespace"), ("name" = String, Path, description = "The route")),
    responses((status = 200, body = Route), (status = 404, body = ErrorBody)))]
pub(crate) async fn get_route(
    namespace: InNamespace,
    name: Named,
    State(api): State<SharedApi>,
) -> Result<Json<Route>, Refusal> {
    let scene = api.orchestrator.edge.scene();
    let is_it = |rule: &&Rule| short_name(rule.spec.name.as_str(), &rule.namespace) == name.0;
    // One that was applied before a service's default host of the same name.
    let mut found: Vec<&Rule> = of(&scene, &namespace.name).filter(is_it).collect();
    found.sort_by_key(|rule| rule.service.is_some());
    let mut unusable = scene.unusable_of(&namespace.name);
    match (found.first(), unusable.find(|(called, _, _)| *called == name.0)) {
        (Some(rule), _) => {
            let left_out = api.orchestrator.edge.left_out();
            Ok(Json(convert::standing(rule, &left_out, sees(&namespace))))
        }
        (None, Some((name, service, route))) => Ok(Json(convert::unusable(name, service, route))),
        (None, None) => Err(Refusal::not_found(
            "RouteNotFound",
            format!(
                "there is no route `{}` in namespace `{}`",
                name.0.escape_debug(),
                namespace.name
            ),
        )
        .hint("`wharf route list` shows those there are")),
    }
}

fn of<'s>(scene: &'s Scene, namespace: &'s NamespaceName) -> impl Iterator<Item = &'s Rule> {
    scene.rules().filter(move |rule| rule.namespace == *namespace)
}

/// Makes a route what the body says: a `[[route]]` as JSON.
#[utoipa::path(put, path = "/v1/namespaces/{ns}/routes/{name}", tag = "routing", request_body = Object,
    params(("ns" = String, Path, description = "The namespace"), ("name" = String, Path, description = "The route")),
    responses((status = 200, body = Applied), (status = 404, body = ErrorBody), (status = 409, body = ErrorBody),
    (status = 422, body = ErrorBody)))]
pub(crate) async fn put_route(
    namespace: InNamespace,
    name: Named,
    State(api): State<SharedApi>,
    Body(ask): Body<Value>,
) -> Result<Json<Applied>, Refusal> {
    let objects = json!({ "route": [named(ask, name.parse::<RouteName>()?.as_str())?] });
    let change = api.orchestrator.apply(&namespace.name, objects).await?;
    Ok(Json(convert::applied(&change)))
}

/// Deletes a route that was applied.
#[utoipa::path(delete, path = "/v1/namespaces/{ns}/routes/{name}", tag = "routing",
    params(("ns" = String, Path, description = "The namespace"), ("name" = String, Path, description = "The route")),
    responses((status = 204), (status = 404, body = ErrorBody), (status = 409, body = ErrorBody, description = "A service's manifest has it")))]
pub(crate) async fn delete_route(
    namespace: InNamespace,
    name: Named,
    State(api): State<SharedApi>,
) -> Result<StatusCode, Refusal> {
    // A service's is called as no route that stands by itself can be.
    let of_service = || api.orchestrator.route_of_a_service(&namespace.name, &name.0);
    let parsed = name.parse().map_err(|bad| of_service().unwrap_or(bad))?;
    let name = ObjectName::Route(parsed);
    api.orchestrator.delete_object(&namespace.name, &name).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Gives routes that were applied other priorities, all at once.
#[utoipa::path(post, path = "/v1/namespaces/{ns}/routes/priorities", tag = "routing", request_body = SetPriorities,
    params(("ns" = String, Path, description = "The namespace")), responses(
    (status = 200, body = Applied), (status = 404, body = ErrorBody), (status = 409, body = ErrorBody),
    (status = 422, body = ErrorBody)))]
pub(crate) async fn set_priorities(
    namespace: InNamespace,
    State(api): State<SharedApi>,
    Body(ask): Body<SetPriorities>,
) -> Result<Json<Applied>, Refusal> {
    let change = api
        .orchestrator
        .prioritise(&namespace.name, ask.priorities)
        .await?;
    Ok(Json(convert::applied(&change)))
}

/// Which route a request would meet, and why those before it don't match.
#[utoipa::path(post, path = "/v1/namespaces/{ns}/routes/test", tag = "routing", request_body = TestRoute,
    params(("ns" = String, Path, description = "The namespace")), responses(
    (status = 200, body = RouteTest), (status = 404, body = ErrorBody), (status = 422, body = ErrorBody)))]
pub(crate) async fn test_route(
    namespace: InNamespace,
    State(api): State<SharedApi>,
    Body(ask): Body<TestRoute>,
) -> Result<Json<RouteTest>, Refusal> {
    let listener = ask
        .listener
        .clone()
        .unwrap_or_else(|| ListenerName::http().to_string());
    let sample = sample(&listener, ask)?;
    let explained = api.orchestrator.edge.explain(&sample).map_err(|error| {
        Refusal::unprocessable("TooMuchToCompare", error.to_string()).hint("ask with shorter values")
    });
    let Some(explanation) = explained? else {
        let message = format!("there is no listener `{}`", listener.escape_debug());
        return Err(Refusal::not_found("ListenerNotFound", message)
            .field("listener")
            .hint("`wharf listener list` shows those there are"));
    };
    Ok(Json(convert::explanation(
        &explanation,
        &listener,
        &namespace.name,
        sees(&namespace),
    )))
}

fn sees(namespace: &InNamespace) -> Sees<'_> {
    match namespace.caller.0.is_administrator() {
        true => Sees::Everything,
        false => Sees::Own(&namespace.name),
    }
}

/// The namespace's target groups with targets outside, its services' among them.
#[utoipa::path(get, path = "/v1/namespaces/{ns}/target-groups", tag = "routing",
    params(("ns" = String, Path, description = "The namespace")), responses(
    (status = 200, body = TargetGroupList), (status = 404, body = ErrorBody)))]
pub(crate) async fn list_target_groups(
    namespace: InNamespace,
    State(api): State<SharedApi>,
) -> Result<Json<TargetGroupList>, Refusal> {
    Ok(Json(TargetGroupList {
        target_groups: groups(&api, &namespace.name)?,
    }))
}

/// A target group with every target.
#[utoipa::path(get, path = "/v1/namespaces/{ns}/target-groups/{name}", tag = "routing",
    params(("ns" = String, Path, description = "The namespace"), ("name" = String, Path, description = "The target group")),
    responses((status = 200, body = TargetGroup), (status = 404, body = ErrorBody)))]
pub(crate) async fn get_target_group(
    namespace: InNamespace,
    name: Named,
    State(api): State<SharedApi>,
) -> Result<Json<TargetGroup>, Refusal> {
    let name: TargetGroupName = name.parse()?;
    let found = groups(&api, &namespace.name)?
        .into_iter()
        .find(|group| group.name == name.as_str());
    found
        .map(Json)
        .ok_or_else(|| no_object(&namespace.name, &ObjectName::TargetGroup(name)))
}

fn groups(api: &SharedApi, namespace: &NamespaceName) -> Result<Vec<TargetGroup>, Refusal> {
    let edge = &api.orchestrator.edge;
    let scene = edge.scene();
    let mut groups: Vec<TargetGroup> = Vec::new();
    for (group, by) in scene.outside_of(namespace) {
        // The same in two places is one.
        if groups.iter().any(|other| other.name == group.name.as_str()) {
            continue;
        }
        let statuses = edge
            .targets(&target_group_name(namespace, &group.name)?)
            .unwrap_or_default();
        let is_healthy =
            |status: &&wharf_gateway::TargetStatus| status.health == wharf_gateway::Health::Healthy;
        let to = Destination::TargetGroup(group.name.clone());
        let uses = of(&scene, namespace).filter(|rule| rule.destinations.contains(&to));
        groups.push(TargetGroup {
            name: group.name.to_string(),
            service_name: by.map(ToString::to_string),
            healthy_count: statuses.iter().filter(is_healthy).count(),
            targets: statuses.iter().map(convert::target).collect(),
            routes: uses
                .map(|rule| short_name(rule.spec.name.as_str(), namespace).to_owned())
                .collect(),
            definition: convert::json(&group.text),
        });
    }
    groups.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(groups)
}

/// Makes a target group what the body says: a `[[target_group]]` as JSON.
#[utoipa::path(put, path = "/v1/namespaces/{ns}/target-groups/{name}", tag = "routing", request_body = Object,
    params(("ns" = String, Path, description = "The namespace"), ("name" = String, Path, description = "The target group")),
    responses((status = 200, body = Applied), (status = 404, body = ErrorBody), (status = 409, body = ErrorBody),
    (status = 422, body = ErrorBody)))]
pub(crate) async fn put_target_group(
    namespace: InNamespace,
    name: Named,
    State(api): State<SharedApi>,
    Body(ask): Body<Value>,
) -> Result<Json<Applied>, Refusal> {
    let objects = json!({ "target_group": [named(ask, name.parse::<TargetGroupName>()?.as_str())?] });
    let change = api.orchestrator.apply(&namespace.name, objects).await?;
    Ok(Json(convert::applied(&change)))
}

/// Deletes a target group that was applied and that no route forwards to.
#[utoipa::path(delete, path = "/v1/namespaces/{ns}/target-groups/{name}", tag = "routing",
    params(("ns" = String, Path, description = "The namespace"), ("name" = String, Path, description = "The target group")),
    responses((status = 204), (status = 404, body = ErrorBody), (status = 409, body = ErrorBody)))]
pub(crate) async fn delete_target_group(
    namespace: InNamespace,
    name: Named,
    State(api): State<SharedApi>,
) -> Result<StatusCode, Refusal> {
    let name = ObjectName::TargetGroup(name.parse()?);
    api.orchestrator.delete_object(&namespace.name, &name).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The server's listeners.
#[utoipa::path(get, path = "/v1/listeners", tag = "routing", responses(
    (status = 200, body = ListenerList), (status = 403, body = ErrorBody)))]
pub(crate) async fn list_listeners(
    caller: Caller,
    State(api): State<SharedApi>,
) -> Result<Json<ListenerList>, Refusal> {
    caller.administrator("look at listeners")?;
    Ok(Json(ListenerList {
        listeners: api
            .orchestrator
            .edge
            .listeners()
            .iter()
            .map(convert::listener)
            .collect(),
    }))
}

/// A listener.
#[utoipa::path(get, path = "/v1/listeners/{name}", tag = "routing",
    params(("name" = String, Path, description = "The listener")), responses(
    (status = 200, body = Listener), (status = 403, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub(crate) async fn get_listener(
    caller: Caller,
    name: Named,
    State(api): State<SharedApi>,
) -> Result<Json<Listener>, Refusal> {
    caller.administrator("look at listeners")?;
    let name: ListenerName = name.parse()?;
    let found = api
        .orchestrator
        .edge
        .listeners()
        .into_iter()
        .find(|state| state.name == name);
    let absent = || no_object(&NamespaceName::default_namespace(), &ObjectName::Listener(name));
    found
        .map(|state| Json(convert::listener(&state)))
        .ok_or_else(absent)
}

/// Makes a listener what the body says: a `[[listener]]` as JSON.
#[utoipa::path(put, path = "/v1/listeners/{name}", tag = "routing", request_body = Object,
    params(("name" = String, Path, description = "The listener")), responses(
    (status = 200, body = Applied), (status = 403, body = ErrorBody), (status = 409, body = ErrorBody),
    (status = 422, body = ErrorBody)))]
pub(crate) async fn put_listener(
    caller: Caller,
    name: Named,
    State(api): State<SharedApi>,
    Body(ask): Body<Value>,
) -> Result<Json<Applied>, Refusal> {
    caller.administrator("change listeners")?;
    let objects = json!({ "listener": [named(ask, name.parse::<ListenerName>()?.as_str())?] });
    let namespace = NamespaceName::default_namespace();
    let change = api.orchestrator.apply(&namespace, objects).await?;
    Ok(Json(convert::applied(&change)))
}

/// Deletes a listener that no route is on by name: nothing new is accepted, what is under way may finish.
#[utoipa::path(delete, path = "/v1/listeners/{name}", tag = "routing",
    params(("name" = String, Path, description = "The listener")), responses(
    (status = 204), (status = 403, body = ErrorBody), (status = 404, body = ErrorBody), (status = 409, body = ErrorBody)))]
pub(crate) async fn delete_listener(
    caller: Caller,
    name: Named,
    State(api): State<SharedApi>,
) -> Result<StatusCode, Refusal> {
    caller.administrator("delete listeners")?;
    let name = ObjectName::Listener(name.parse()?);
    let namespace = NamespaceName::default_namespace();
    api.orchestrator.delete_object(&namespace, &name).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// An object of the path's name: the body may leave it out, and may not have another.
fn named(mut object: Value, name: &str) -> Result<Value, Refusal> {
    let Some(table) = object.as_object_mut() else {
        let message = "the body is no JSON object";
        return Err(Refusal::new(Kind::Malformed, "InvalidBody", message));
    };
    match table.get("name") {
        None => {
            table.insert("name".to_owned(), name.into());
            Ok(object)
        }
        Some(same) if same == name => Ok(object),
        Some(other) => {
            let message = format!("the body's name is {other}, the path's `{name}`");
            Err(Refusal::unprocessable("InvalidBody", message).field("name"))
        }
    }
}
