// toml-test-decoder
