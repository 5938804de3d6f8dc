"""Tables as plain lines, for terminals that show no colours and for logs."""

from deploy.report import Table


def table_lines(table: Table) -> list[str]:
    """A table as plain lines, its columns aligned."""
    everything = [table.columns, *table.rows]
    widths = [max(len(row[column]) for row in everything) for column in range(len(table.columns))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in everything
    ]
