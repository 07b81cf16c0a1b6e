"""The operator's web page and the OBS pages, and the server behind them."""
