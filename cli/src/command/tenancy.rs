//! `wharf namespace` and `wharf token`.

use anyhow::Result;
use http::Method;
use wharf_control::api::types::{
    CreateNamespace, CreateToken, CreatedToken, Namespace, NamespaceList, Token, TokenList,
};

use crate::api::{Api, escape};
use crate::args::{self, NamespaceAction, Output, TokenAction};
use crate::output;

/// Create, list or delete namespaces.
pub(crate) async fn namespace(api: &Api, args: &args::Namespace) -> Result<()> {
    let format = args.client.output;
    match &args.action {
        NamespaceAction::Create { name } => {
            let body = CreateNamespace {
                name: name.to_string(),
            };
            let namespace: Namespace = api.send(Method::POST, "/v1/namespaces", &body).await?;
            output::answer(format, &namespace, |namespace| {
                format!("{}: created", namespace.name)
            })?;
        }
        NamespaceAction::List => {
            let list: NamespaceList = api.get("/v1/namespaces").await?;
            output::answer(format, &list, |list| {
                let rows = list
                    .namespaces
                    .iter()
                    .map(|one| [one.name.clone(), output::age(one.created_at)]);
                output::table(["NAMESPACE", "AGE"], rows)
            })?;
        }
        NamespaceAction::Delete { name } => {
            api.delete(&format!("/v1/namespaces/{}", escape(name))).await?;
            output::done(format, name, "deleted")?;
        }
    }
    Ok(())
}

/// Create, list or revoke the namespace's tokens.
pub(crate) async fn token(api: &Api, args: &args::Token) -> Result<()> {
    let format = args.client.output;
    let (path, of) = match args.metrics {
        true => ("/v1/metrics-tokens".to_owned(), "for metrics".to_owned()),
        false => (
            api.path(&["tokens"]),
            format!("of namespace `{}`", api.namespace()),
        ),
    };
    match &args.action {
        TokenAction::Create { description } => create_token(api, (&path, &of), description, format).await,
        TokenAction::List => list_tokens(api, (&path, &of), format).await,
        TokenAction::Revoke { id } => {
            api.delete(&format!("{path}/{}", escape(id))).await?;
            output::done(format, id, "revoked")?;
            Ok(())
        }
    }
}

/// The token alone goes to standard output, so that `WHARF_TOKEN=$(wharf token create)` works.
async fn create_token(api: &Api, (path, of): (&str, &str), description: &str, format: Output) -> Result<()> {
    let body = CreateToken {
        description: description.to_owned(),
    };
    let created: CreatedToken = api.send(Method::POST, path, &body).await?;
    if format == Output::Table {
        output::remark(&format!("token {} {of}; it is not shown again:", created.id));
    }
    output::answer(format, &created, |created| created.token.clone())?;
    Ok(())
}

async fn list_tokens(api: &Api, (path, of): (&str, &str), format: Output) -> Result<()> {
    let list: TokenList = api.get(path).await?;
    let nothing = format!("no tokens {of}: `wharf token create` makes one");
    output::list(format, &list, &list.tokens, tokens_table, &nothing)?;
    Ok(())
}

fn tokens_table(tokens: &[Token]) -> String {
    let rows = tokens.iter().map(|token| {
        [
            token.id.clone(),
            output::age(token.created_at),
            output::harmless(&token.description),
        ]
    });
    output::table(["TOKEN", "AGE", "DESCRIPTION"], rows)
}
