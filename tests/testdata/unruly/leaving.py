"""A plugin that ends whoever imports it."""


class Outcry(BaseException):
    """No `Exception`."""


raise Outcry
