"""OneWayFit and FitTable: figures and the statistics behind them, never rows."""
