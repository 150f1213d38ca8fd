# docs/local.mk: the manual. Pages go into the folder of the README, under their own names; pages for man(1) are added to dist_man_MANS.

manualdir = $(docdir)
nobase_dist_manual_DATA =
