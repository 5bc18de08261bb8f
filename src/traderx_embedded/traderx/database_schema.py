"""TraderX's tables and seed, as the database makes them anew at every start.

SQLite keeps them. A CHECK on a length carries the name of the column and its type in H2's words,
from which the database makes H2's error message.
"""

import re

TABLES = """
create table Accounts (
  ID int not null primary key,
  DisplayName text constraint "DISPLAYNAME CHARACTER VARYING(50)" check (length(DisplayName) <= 50)
) strict;
create table AccountUsers (
  AccountID int not null references Accounts (ID),
  Username text not null
    constraint "USERNAME CHARACTER VARYING(15)" check (length(Username) <= 15),
  primary key (AccountID, Username)
) strict;
create table Positions (
  AccountID int not null references Accounts (ID),
  Security text not null
    constraint "SECURITY CHARACTER VARYING(15)" check (length(Security) <= 15),
  Updated text,
  Quantity int,
  primary key (AccountID, Security)
) strict;
create table Trades (
  ID text not null primary key constraint "ID CHARACTER VARYING(50)" check (length(ID) <= 50),
  AccountID int references Accounts (ID),
  Created text,
  Updated text,
  Security text constraint "SECURITY CHARACTER VARYING(15)" check (length(Security) <= 15),
  Side text check (Side in ('Buy', 'Sell')),
  Quantity int check (Quantity > 0),
  State text check (State in ('New', 'Processing', 'Settled', 'Cancelled'))
) strict;
create table Sequences (Name text not null primary key, Next int not null) strict;
"""

ACCOUNTS = (
    (22214, "Test Account 20"),
    (11413, "Private Clients Fund TTXX"),
    (42422, "Algo Execution Partners"),
    (52355, "Big Corporate Fund"),
    (62654, "Hedge Fund TXY1"),
    (10031, "Internal Trading Book"),
    (44044, "Trading Account 1"),
)
USERS = {
    22214: ("user01", "user03", "user05", "user07", "user09"),
    62654: ("user01", "user05", "user07", "user09"),
    10031: ("user01", "user03", "user09"),
    44044: ("user01", "user04", "user05", "user06", "user07", "user09"),
}
TRADES = (
    ("TRADE-22214-AABBCC", 22214, "IBM", "Sell", 100),
    ("TRADE-22214-DDEEFF", 22214, "MS", "Buy", 1000),
    ("TRADE-22214-GGHHII", 22214, "C", "Sell", 2000),
    ("TRADE-52355-AABBCC", 52355, "BAC", "Sell", 2400),
)
POSITIONS = ((22214, "MS", 1000), (22214, "IBM", -100), (22214, "C", -2000), (52355, "BAC", -2400))
"""In the order of the rows, in which position-service lists them."""
FIRST_ACCOUNT_ID = 65000


def widened(table: str, column: str, length: int) -> str:
    """Return the statement that makes a table, with another length of one of its columns."""
    name = column.upper()
    check = re.compile(
        rf'("{name} CHARACTER VARYING\()\d+(\)" check \(length\(\w+\) <= )\d+', re.IGNORECASE
    )
    return check.sub(rf"\g<1>{length}\g<2>{length}", table)
