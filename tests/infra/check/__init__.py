"""Checks a folder of Bicep against what Azure has, offline. It runs in .venv-infra: see `make infra`.

python -m check FOLDER    names each finding on a line; exit code 1 if there is any
"""
