"""What other tools speak: OpenAI's completions, Mistral's FIM completions, llama.cpp and Ollama.

Their requests are translated to `InfillRequest` and go the way of everybody's.
"""
