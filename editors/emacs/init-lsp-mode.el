(require 'lsp-mode)
(require 'lsp-inline-completion)
(lsp-register-client
 (make-lsp-client :new-connection (lsp-stdio-connection '("midfill" "lsp"))
                  :activation-fn (lambda (_file mode) (provided-mode-derived-p mode 'prog-mode))
                  :notification-handlers (lsp-ht ("midfill/status" #'ignore))
                  :server-id 'midfill
                  :add-on? t))
(setq lsp-inline-completion-idle-delay 0.1)
(lsp-inline-completion--define-key lsp-inline-completion-active-map
                                   (kbd "TAB") #'lsp-inline-completion-accept 'keep)
(add-hook 'prog-mode-hook #'lsp-deferred)
