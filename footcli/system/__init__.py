"""Files, processes, cores and assets of the machine that footcli runs on."""
