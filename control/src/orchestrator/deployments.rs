//! Deployments, looked at.

use super::Orchestrator;
use crate::model::{Deployment, DeploymentId, keys};
use crate::names::{NamespaceName, ServiceName};
use crate::refusal::Refusal;

impl Orchestrator {
    /// A deployment of a service.
    ///
    /// # Errors
    /// If there is none of that id.
    pub async fn deployment(
        &self,
        namespace: &NamespaceName,
        service: &ServiceName,
        id: &DeploymentId,
    ) -> Result<Deployment, Refusal> {
        let found = self.record(&keys::deployment(namespace, service, id)).await?;
        found.ok_or_else(|| no_deployment(namespace, id))
    }

    /// A deployment of any service.
    ///
    /// # Errors
    /// If there is none of that id.
    pub async fn find_deployment(
        &self,
        namespace: &NamespaceName,
        id: &DeploymentId,
    ) -> Result<Deployment, Refusal> {
        let whose = self.store.get(&keys::deployment_service(namespace, id)).await?;
        let service = whose.and_then(|entry| std::str::from_utf8(&entry.value).ok()?.parse().ok());
        match service {
            Some(service) => self.deployment(namespace, &service, id).await,
            None => Err(no_deployment(namespace, id)),
        }
    }

    /// A service's deployments, newest first.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn deployments(
        &self,
        namespace: &NamespaceName,
        service: Option<&ServiceName>,
    ) -> Result<Vec<Deployment>, Refusal> {
        let prefix = match service {
            Some(service) => keys::service_deployments(namespace, service),
            None => keys::deployments(namespace),
        };
        let mut deployments: Vec<Deployment> = self.records(&prefix).await?;
        deployments.sort_by(|a, b| b.id.cmp(&a.id));
        Ok(deployments)
    }
}

pub(super) fn no_deployment(namespace: &NamespaceName, id: &DeploymentId) -> Refusal {
    let message = format!(
        "there is no deployment `{}` in `{namespace}`",
        id.as_str().escape_debug()
    );
    Refusal::not_found("DeploymentNotFound", message)
}
