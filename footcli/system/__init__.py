"""Files, processes, cores, memory and assets of the machine that footcli runs on."""
