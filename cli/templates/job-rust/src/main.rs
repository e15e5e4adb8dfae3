//! Greets whoever its arguments name.

use wharf::{Error, Result};

#[wharf::job]
async fn run(args: Vec<String>) -> Result<()> {
    if args.is_empty() {
        return Err(Error::internal("name somebody to greet"));
    }
    for name in args {
        println!("hello, {name}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use wharf::test::Host;

    #[test]
    fn it_greets_somebody() {
        assert!(Host::new().block_on(run(vec!["Ada".into()])).is_ok());
    }

    #[test]
    fn it_fails_without_anybody_to_greet() {
        let error = Host::new().block_on(run(Vec::new())).unwrap_err();
        assert_eq!(error.to_string(), "name somebody to greet");
    }
}
