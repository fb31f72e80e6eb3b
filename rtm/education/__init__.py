"""Short articles for patients, one YAML file each, in plain words with their guidelines."""

from rtm.education.library import (
    Article,
    ArticleLibrary,
    InvalidArticle,
    Section,
    Source,
    UnknownArticle,
    load_articles,
)

__all__ = [
    "Article",
    "ArticleLibrary",
    "InvalidArticle",
    "Section",
    "Source",
    "UnknownArticle",
    "load_articles",
]
