"""What is known of the window of a model before one is chosen."""

from broker.routing.routes import Catalog
from broker.token_estimates import family_of


def window_of(catalog: Catalog, name: str) -> tuple[int | None, str | None]:
    """Window, in tokens, and family of a model, or of all models of an alias: the smallest window, and one family.

    None stands for what is not known: of `auto`, of a name that is not there, of models of several families.
    """
    alias = catalog.aliases.get(name)
    models = [catalog.models[each] for each in (alias.models if alias else (name,)) if each in catalog.models]
    families = {family_of(model.name) for model in models}
    window = min((model.context_window for model in models), default=None)
    return window, families.pop() if len(families) == 1 else None
