"""Warehouses: databases of other programs, which get a copy of the lake's tables for analysts and their dashboards."""
