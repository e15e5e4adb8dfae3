//! A row of the CSV, and sums of rows.

use std::fmt;
use std::str::FromStr;

/// One order. A negative quantity is a return.
#[derive(Debug, PartialEq)]
pub struct Order {
    date: String,
    pub region: String,
    pub quantity: i64,
    price_cents: i64,
}

impl Order {
    /// `2025-03` of `2025-03-14`.
    pub fn month(&self) -> &str {
        self.date.rsplit_once('-').map_or("", |(month, _)| month)
    }
}

impl FromStr for Order {
    type Err = String;

    /// `date,region,product,quantity,price in cents`; no field has a comma or a quote in it.
    fn from_str(line: &str) -> Result<Self, String> {
        let fields: Vec<&str> = line.split(',').collect();
        let &[date, region, _product, quantity, price] = fields.as_slice() else {
            return Err(format!("5 fields expected, {} found", fields.len()));
        };
        let number = |name, text: &str| {
            text.parse::<i64>()
                .map_err(|_| format!("the {name} is a whole number, not `{text}`"))
        };
        if !is_date(date) {
            return Err(format!("the date is written 2025-12-31, not `{date}`"));
        }
        Ok(Self {
            date: date.to_owned(),
            region: region.to_owned(),
            quantity: number("quantity", quantity)?,
            price_cents: number("price", price)?,
        })
    }
}

fn is_date(text: &str) -> bool {
    let pattern = b"dddd-dd-dd";
    let fits = |(byte, wanted): (u8, &u8)| match wanted {
        b'd' => byte.is_ascii_digit(),
        other => byte == *other,
    };
    text.len() == pattern.len() && text.bytes().zip(pattern).all(fits)
}

/// The sums over some orders.
#[derive(Debug, Default, PartialEq)]
pub struct Totals {
    orders: u64,
    units: i64,
    revenue_cents: i64,
}

impl Totals {
    pub fn add(&mut self, order: &Order) {
        self.merge(&Self {
            orders: 1,
            units: order.quantity,
            revenue_cents: order.quantity.saturating_mul(order.price_cents),
        });
    }

    pub fn merge(&mut self, other: &Self) {
        self.orders += other.orders;
        self.units = self.units.saturating_add(other.units);
        self.revenue_cents = self.revenue_cents.saturating_add(other.revenue_cents);
    }
}

/// The figures as columns of the table: orders, units, revenue.
impl fmt::Display for Totals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.revenue_cents < 0 { "-" } else { "" };
        let cents = self.revenue_cents.unsigned_abs();
        let revenue = format!("{sign}{}.{:02}", cents / 100, cents % 100);
        write!(f, "{:>7} {:>7} {revenue:>13}", self.orders, self.units)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_read_or_refused_with_a_reason() {
        let row: Order = "2025-03-14,north,hose 25 m,-2,4499".parse().unwrap();
        assert_eq!(
            (row.month(), row.region.as_str(), row.quantity),
            ("2025-03", "north", -2)
        );
        let refused = |line: &str| line.parse::<Order>().unwrap_err();
        assert_eq!(refused("2025-03-14,north,hose"), "5 fields expected, 3 found");
        assert_eq!(
            refused("14.3.2025,north,hose,1,2"),
            "the date is written 2025-12-31, not `14.3.2025`"
        );
        assert_eq!(
            refused("2025-03-14,north,hose,one,2"),
            "the quantity is a whole number, not `one`"
        );
        assert_eq!(
            refused("2025-03-14,north,hose,1,2.50"),
            "the price is a whole number, not `2.50`"
        );
    }

    #[test]
    fn sums_are_in_whole_currency() {
        let mut totals = Totals::default();
        for line in ["2025-03-14,north,spade,3,3250", "2025-03-15,north,spade,-1,3250"] {
            totals.add(&line.parse().unwrap());
        }
        assert_eq!(totals.to_string(), "      2       2         65.00");
        let loss = Totals {
            orders: 1,
            units: -1,
            revenue_cents: -5,
        };
        assert_eq!(loss.to_string(), "      1      -1         -0.05");
    }
}
