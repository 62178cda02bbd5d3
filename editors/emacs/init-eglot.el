(with-eval-after-load 'eglot
  (add-to-list 'eglot-server-programs
               '(python-base-mode . ("midfill" "lsp" :initializationOptions (:completion t)))))
(add-hook 'python-base-mode-hook #'eglot-ensure)
