// Store: contract to be written with the module.
