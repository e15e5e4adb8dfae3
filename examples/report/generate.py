#!/usr/bin/env python3
"""Writes data/orders.csv: half a year of a garden shop's orders, the same every time."""

import csv
import datetime
import pathlib
import random

ROWS = 5000
PRODUCTS = {
    "watering can": 1490,
    "spade": 3250,
    "gloves": 890,
    "compost 40 l": 1150,
    "hose 25 m": 4499,
    "tomato seeds": 299,
    "bird feeder": 1875,
    "wheelbarrow": 11900,
}
REGIONS = {"north": 4, "east": 2, "south": 5, "west": 3}
RETURNED = 0.015

random.seed(2025)
first = datetime.date(2025, 1, 1)
# More is bought as spring comes.
days = random.choices(range(181), weights=[60 + day for day in range(181)], k=ROWS)
path = pathlib.Path(__file__).parent / "data" / "orders.csv"
with path.open("w", newline="") as file:
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(["date", "region", "product", "quantity", "price_cents"])
    for day in sorted(days):
        product, price = random.choice(list(PRODUCTS.items()))
        quantity = random.choices([1, 2, 3, 4, 6, 10], weights=[50, 25, 10, 8, 4, 3])[0]
        if random.random() < RETURNED:
            quantity = -1
        region = random.choices(list(REGIONS), weights=list(REGIONS.values()))[0]
        writer.writerow([first + datetime.timedelta(days=day), region, product, quantity, price])
