// Reads a template folder with LSP4IJ's own reader and prints what came of it, one field a line:
// a name, a tab, a value. The system that LSP4IJ is to believe in is the property os.name.

import com.intellij.openapi.vfs.VirtualFile;
import com.redhat.devtools.lsp4ij.launching.templates.LanguageServerTemplate;
import com.redhat.devtools.lsp4ij.launching.templates.LanguageServerTemplateManager;
import com.redhat.devtools.lsp4ij.server.definition.launching.CommandUtils;
import com.redhat.devtools.lsp4ij.templates.ServerMappingSettings;
import java.nio.file.Path;

public class ReadTemplate {

    public static void main(String[] arguments) throws Exception {
        LanguageServerTemplate template = LanguageServerTemplateManager.getInstance()
                .importServerTemplate(new VirtualFile(Path.of(arguments[0])));
        print("id", template.getId());
        print("name", template.getName());
        for (String part : CommandUtils.createCommands(template.getProgramArgs())) {
            print("command", part);
        }
        print("initializationOptions", template.getInitializationOptions());
        print("settings", template.getConfiguration());
        for (ServerMappingSettings mapping : template.getAllMappings()) {
            if (mapping.getFileNamePatterns() != null) {
                print("patterns", String.join(" ", mapping.getFileNamePatterns()) + " " + mapping.getLanguageId());
            } else {
                print("fileType", mapping.getFileType() + " " + mapping.getLanguageId());
            }
        }
    }

    private static void print(String name, String value) {
        System.out.println(name + "\t" + value.strip().replace('\n', ' '));
    }
}
