//! A job: reads a CSV of orders from its files and prints what was sold, per region and month.

mod orders;

use orders::{Order, Totals};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead as _, BufReader};
use wharf::{Error, ExitCode, Result};

const DEFAULT_FILE: &str = "/data/orders.csv";
/// What the job exits with when a row isn't as it should be.
const BAD_ROW: u8 = 3;
/// What the job exits with when its arguments aren't.
const BAD_ARGUMENTS: u8 = 2;

/// Whether a negative quantity, which is a return, is an error.
#[derive(Clone, Copy, PartialEq)]
enum Returns {
    Counted,
    Refused,
}

#[wharf::job]
async fn run(args: Vec<String>) -> Result<ExitCode> {
    let mut returns = Returns::Counted;
    let mut path = DEFAULT_FILE;
    for arg in &args {
        match arg.as_str() {
            "--fail-on-negative" => returns = Returns::Refused,
            option if option.starts_with('-') => {
                eprintln!("unknown option {option}; usage: report [--fail-on-negative] [FILE]");
                return Ok(BAD_ARGUMENTS.into());
            }
            file => path = file,
        }
    }
    report(path, returns)
}

fn report(path: &str, returns: Returns) -> Result<ExitCode> {
    let file = File::open(path).map_err(|error| Error::internal(format!("{path}: {error}")))?;
    let mut table = BTreeMap::<(String, String), Totals>::new();
    // The first line is the header.
    for (line, number) in BufReader::new(file).lines().zip(1..).skip(1) {
        match check(&line?, returns) {
            Ok(order) => {
                let place = (order.region.clone(), order.month().to_owned());
                table.entry(place).or_default().add(&order);
            }
            Err(reason) => {
                eprintln!("{path}, line {number}: {reason}");
                return Ok(BAD_ROW.into());
            }
        }
    }
    print(&table);
    Ok(ExitCode::SUCCESS)
}

fn check(line: &str, returns: Returns) -> Result<Order, String> {
    let order: Order = line.parse()?;
    if returns == Returns::Refused && order.quantity < 0 {
        return Err(format!("the quantity is negative: {}", order.quantity));
    }
    Ok(order)
}

fn print(table: &BTreeMap<(String, String), Totals>) {
    let mut all = Totals::default();
    println!(
        "{:<8} {:<7} {:>7} {:>7} {:>13}",
        "region", "month", "orders", "units", "revenue"
    );
    for ((region, month), totals) in table {
        println!("{region:<8} {month:<7} {totals}");
        all.merge(totals);
    }
    println!("{:<8} {:<7} {all}", "all", "");
}
