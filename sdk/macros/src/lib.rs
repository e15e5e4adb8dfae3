//! The attributes of the crate `wharf`: each leaves the function as it is, so that it can be called from
//! tests, and adds the export that makes the host call it. They are documented where `wharf` re-exports them.

use proc_macro::TokenStream;
use proc_macro2::TokenStream as Tokens;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Error, ItemFn, ReturnType, parse_macro_input};

/// Makes a function the handler of a component's HTTP requests, or what makes the handler.
#[proc_macro_attribute]
pub fn http(attribute: TokenStream, item: TokenStream) -> TokenStream {
    let function = parse_macro_input!(item as ItemFn);
    finish(check_http(&attribute.into(), &function), &function, export_http)
}

/// Makes an async function the `main` of a job or a worker.
#[proc_macro_attribute]
pub fn job(attribute: TokenStream, item: TokenStream) -> TokenStream {
    let function = parse_macro_input!(item as ItemFn);
    finish(check_job(&attribute.into(), &function), &function, export_job)
}

/// The function with its export, or with the error in the export's place: one mistake, one message.
fn finish(checked: syn::Result<()>, function: &ItemFn, export: fn(&ItemFn) -> Tokens) -> TokenStream {
    let added = match checked {
        Ok(()) => export(function),
        Err(error) => error.into_compile_error(),
    };
    quote!(#function #added).into()
}

fn check_http(attribute: &Tokens, function: &ItemFn) -> syn::Result<()> {
    check_common(attribute, function, "http")?;
    if function.sig.asyncness.is_none() && !function.sig.inputs.is_empty() {
        let message = "a handler is an `async fn`; what makes one takes nothing: `fn app() -> wharf::Router`";
        return Err(Error::new(function.sig.fn_token.span(), message));
    }
    Ok(())
}

fn check_job(attribute: &Tokens, function: &ItemFn) -> syn::Result<()> {
    check_common(attribute, function, "job")?;
    if function.sig.asyncness.is_none() {
        return Err(Error::new(
            function.sig.fn_token.span(),
            "#[wharf::job] wants an `async fn`",
        ));
    }
    if function.sig.ident == "main" {
        let message = "#[wharf::job] writes `main` itself: give this function another name, such as `run`";
        return Err(Error::new(function.sig.ident.span(), message));
    }
    match function.sig.inputs.len() {
        0 | 1 => Ok(()),
        _ => Err(Error::new(
            function.sig.paren_token.span.join(),
            "a job takes nothing, or its arguments: `async fn run(args: Vec<String>)`",
        )),
    }
}

fn check_common(attribute: &Tokens, function: &ItemFn, name: &str) -> syn::Result<()> {
    if !attribute.is_empty() {
        return Err(Error::new(
            attribute.span(),
            format!("#[wharf::{name}] takes no options"),
        ));
    }
    if !function.sig.generics.params.is_empty() {
        let message = format!("a function under #[wharf::{name}] cannot be generic");
        return Err(Error::new(function.sig.generics.span(), message));
    }
    Ok(())
}

fn export_http(function: &ItemFn) -> Tokens {
    let name = &function.sig.ident;
    let made = match &function.sig.output {
        ReturnType::Type(_, made) => quote!(#made),
        ReturnType::Default => quote!(()),
    };
    // What makes a handler is called once per instance, a handler for each request.
    let (serve, check) = match function.sig.asyncness {
        Some(_) => (
            quote_spanned!(name.span()=> ::wharf::exports::serve(request, out, &#name)),
            quote_spanned!(name.span()=> ::wharf::exports::check(&#name)),
        ),
        None => (
            quote_spanned! {name.span()=>
                ::std::thread_local!(static HANDLER: #made = #name());
                HANDLER.with(|handler| ::wharf::exports::serve(request, out, handler))
            },
            quote_spanned!(name.span()=> ::wharf::exports::check(&#name())),
        ),
    };
    quote_spanned! {name.span()=>
        #[cfg(target_family = "wasm")]
        const _: () = {
            struct Component;

            impl ::wharf::exports::wasip2::exports::http::incoming_handler::Guest for Component {
                fn handle(
                    request: ::wharf::exports::wasip2::http::types::IncomingRequest,
                    out: ::wharf::exports::wasip2::http::types::ResponseOutparam,
                ) {
                    #serve
                }
            }

            ::wharf::exports::wasip2::http::proxy::export!(
                Component with_types_in ::wharf::exports::wasip2
            );
        };

        // Natively there is no host to export to. This keeps the function from counting as unused, and says early
        // whether it is a handler.
        #[cfg(not(target_family = "wasm"))]
        const _: fn() = || #check;
    }
}

fn export_job(function: &ItemFn) -> Tokens {
    let run = &function.sig.ident;
    let call = match function.sig.inputs.len() {
        0 => quote_spanned!(run.span()=> #run()),
        _ => quote_spanned!(run.span()=> #run(::std::env::args().skip(1).collect())),
    };
    quote_spanned! {run.span()=>
        fn main() {
            ::wharf::exports::run(async { #call.await })
        }
    }
}

#[cfg(test)]
mod tests;
