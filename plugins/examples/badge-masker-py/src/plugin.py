"""Replaces the numbers of employees' badges: EMP- and digits."""

import re

BADGE = re.compile("EMP-[0-9]+")


def mask(leaf, out):
    for badge in BADGE.finditer(leaf.text):
        out.replace(badge.start(), badge.end(), "[badge]")
