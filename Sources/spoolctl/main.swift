import SpoolCommands

// at, atq, atrm and batch are links to this program, which has all that they need.
if AtProgram.isCalled { AtProgram.run() }
Spoolctl.run()
