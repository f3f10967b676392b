"""The five tables journeylib reads: columns, types, units, keys, allowed values, and why a row is refused.

Everything here is data. `intake` turns it into grammar and rules, `codebook` into a table to read, so that
neither can drift from the other. A further table is one more entry in `TABLES`.
"""

from journeylib.contract.dictionary import codebook, dictionary_text, write_dictionary
from journeylib.contract.reasons import LARGEST_AMOUNT, REASONS, UNREADABLE, Reason
from journeylib.contract.shapes import Column, Table
from journeylib.contract.tables import CUSTOMER_COLUMNS, TABLES, contract_table

__all__ = [
    "CUSTOMER_COLUMNS",
    "LARGEST_AMOUNT",
    "REASONS",
    "TABLES",
    "UNREADABLE",
    "Column",
    "Reason",
    "Table",
    "codebook",
    "contract_table",
    "dictionary_text",
    "write_dictionary",
]
