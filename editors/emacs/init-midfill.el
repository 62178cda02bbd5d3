(add-to-list 'load-path "~/midfill/editors/emacs")
(require 'midfill)
(add-hook 'prog-mode-hook #'midfill-mode)
