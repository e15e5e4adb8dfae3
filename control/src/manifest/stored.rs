//! Manifests of the store's: they were checked once, and by another version, perhaps.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Manifest, ManifestErrors, UnusableRoute, Workload};

/// The manifest without the routes that `errors` are about, which it names.
pub(super) fn without_unusable_routes(
    mut manifest: Value,
    errors: ManifestErrors,
) -> Result<Manifest, ManifestErrors> {
    let mut reasons: BTreeMap<usize, Vec<String>> = BTreeMap::new();
    for error in &errors {
        match error.field().route() {
            Some(at) => reasons.entry(at).or_default().push(error.to_string()),
            None => return Err(errors),
        }
    }
    let Some(routes) = manifest.get_mut("route").and_then(Value::as_array_mut) else {
        return Err(errors);
    };
    let mut unusable = Vec::new();
    // From the last to the first: those before it keep their places.
    for (at, reasons) in reasons.into_iter().rev() {
        if at >= routes.len() {
            return Err(errors);
        }
        unusable.push(UnusableRoute {
            at,
            text: serde_json::from_value(routes.remove(at)).ok(),
            reason: reasons.join("; "),
        });
    }
    unusable.reverse();
    let mut left = Manifest::from_json(manifest)?;
    if let Workload::Service(service) = &mut left.workload {
        service.unusable_routes = unusable;
    }
    Ok(left)
}
