"""The door in: source files become typed tables in the engine, a quarantine with reasons, and a ledger.

Everything is read as text and typed by grammar. A row is used or refused with a reason; the ledger proves
that rows and money in = used + quarantined, with the rows counted independently of the engine.
"""

from journeylib.intake.dataset import Dataset, TableSource, load_dataset
from journeylib.intake.door import Intake, read_dataset
from journeylib.intake.ledger import Ledger

__all__ = ["Dataset", "Intake", "Ledger", "TableSource", "load_dataset", "read_dataset"]
