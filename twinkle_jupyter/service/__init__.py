"""The HTTP service: stateless over the store, never waiting for compute on its event loop."""
