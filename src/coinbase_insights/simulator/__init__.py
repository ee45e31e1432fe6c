"""A local Coinbase on one port, for tests, demonstrations and work without a network.

`server.serve` puts a market behind the protocols of both feeds and their REST: a synthetic one (`market.Market`)
or a recording (`recorded.Recording`). Nothing here is imported by `run`.
"""
