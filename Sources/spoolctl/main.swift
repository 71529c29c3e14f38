import SpoolCommands

Spoolctl.run()
