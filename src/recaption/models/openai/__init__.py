"""Models behind an OpenAI-compatible address: vLLM, SGLang, Ollama, llama.cpp, transformers serve, OpenAI itself.

Read in this order: `generator` (what a recipe says), `schedule` (who is sent next, and where), `outcome` (what a
reply means), `client` (the only module that touches the network). All but `client`, `server` and `guard` are plain
logic: time comes in as an argument.
"""
