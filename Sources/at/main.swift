import SpoolCommands

AtProgram.run()
