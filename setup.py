"""Packaging of Arvados Node Manager."""

import re
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent
VERSION = re.search(r'^__version__ = "(.+)"$', (HERE / "arvnodeman/version.py").read_text(), re.MULTILINE)
if VERSION is None:
    raise SystemExit("arvnodeman/version.py has no __version__")

setup(
    name="arvados-node-manager",
    version=VERSION.group(1),
    description="Boots cloud compute nodes when jobs wait in an Arvados/Slurm queue, and destroys them when they idle",
    long_description=(HERE / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license_expression="Apache-2.0",
    license_files=["LICENSE"],
    packages=find_packages(include=["arvnodeman", "arvnodeman.*"]),
    package_data={
        "arvnodeman": ["py.typed"],
        "arvnodeman.cloud": ["lease.sh", "notice.sh"],
        "arvnodeman.init": ["user-data.sh", "user-data-slurm.sh"],
        "arvnodeman.manage": ["page/*"],
        "arvnodeman.slurm": ["poke.sh"],
    },
    python_requires=">=3.11",
    install_requires=[
        "pykka>=4.4,<5",
        "apache-libcloud>=3.9,<4",
        "arvados-python-client>=3.2,<4",
        "cryptography>=42",
        "argcomplete>=3.5,<4",
        "msgspec>=0.20,<1",
        "prometheus-client>=0.21,<1",
        "python-daemon>=3.1,<4",
        "requests>=2.31,<3",
        "rich>=13,<16",
        "waitress>=3,<4",
        "werkzeug>=3.1,<4",
    ],
    extras_require={
        "report": ["matplotlib>=3.8,<4"],
        "postgresql": ["psycopg[binary]>=3.2,<4"],
        "zookeeper": ["kazoo>=2.10,<3"],
        "ec2-demo": ["moto[ec2,server]>=5.1,<6"],
        "zstd": ["backports.zstd>=1.1,<2; python_version < '3.14'"],
        "test": [
            "backports.zstd>=1.1,<2; python_version < '3.14'",
            "hypothesis>=6.100",
            "kazoo>=2.10,<3",
            "matplotlib>=3.8,<4",
            "mock>=5",
            "mutmut>=3.8,<4",
            "moto[ec2,server]>=5.1,<6",
            "mypy>=1.15",
            "playwright>=1.50,<2",
            "psycopg[binary]>=3.2,<4",
            "pyperf>=2.8,<3",
            "pytest>=8",
            "pytest-cov>=6",
            "pytest-xdist>=3.6",
            "requests-mock>=1.11",
            "ruff>=0.12",
            "schemathesis>=4,<5",
            "setuptools>=77",
            "types-requests",
        ],
    },
    entry_points={"console_scripts": ["arvados-node-manager = arvnodeman.__main__:main"]},
)
