"""TensorFlow models in Transformers."""


def tensorflow_models() -> dict[str, bool]:
    """The model classes of TensorFlow by name, and whether each has `half()`."""
    import transformers

    names = sorted({*dir(transformers), *vars(transformers)})
    models = [name for name in names if name.startswith("TF") and name.endswith("Model")]
    return {name: hasattr(getattr(transformers, name), "half") for name in models}
